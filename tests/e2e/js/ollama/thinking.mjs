import { client, gathered, messages, model, report } from "./scenario.mjs";

const whole = await client.chat({ model, messages, think: true });
const parts = await gathered(await client.chat({ model, messages, think: true, stream: true }));
const generated = await client.generate({ model, prompt: "Why?", think: "low" });
report({ whole, parts, generated });
