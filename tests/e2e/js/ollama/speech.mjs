// Tools with their results, and images in both forms that the client takes.
import { client, gathered, model, pixel, report } from "./scenario.mjs";

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", description: "Look.", parameters } }];
const asked = [{ role: "user", content: "use get_weather" }];
const called = await client.chat({ model, messages: asked, tools });
const streamed = await gathered(await client.chat({ model, messages: asked, tools, stream: true }));
const result = { role: "tool", tool_name: "get_weather", content: "It rains." };
const answered = await client.chat({ model, messages: [...asked, called.message, result], tools });

const bytes = Uint8Array.from(Buffer.from(pixel, "base64"));
const encoded = [await client.encodeImage(bytes), await client.encodeImage(pixel)];
await client.chat({ model, messages: [{ role: "user", content: "Look.", images: [bytes] }] });
await client.generate({ model, prompt: "Look.", images: [pixel] });
report({ called, streamed, answered, encoded, pixel });
