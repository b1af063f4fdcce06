import { generateText, streamText } from "ai";

import { chosen, gathered, pixel, report, settings, thinking } from "./scenario.mjs";

const whole = await generateText({ ...settings, ...thinking, prompt: "Why?" });
const stream = streamText({ ...settings, ...thinking, prompt: "Why?" });
await gathered(stream.fullStream);
const image = { type: "image", image: pixel, mediaType: "image/png" };
const content = [{ type: "text", text: "Look." }, image];
await generateText({ model: chosen, messages: [{ role: "user", content }], ...settings });
const streamed = [await stream.reasoningText, await stream.text];
report({ whole: [whole.reasoningText, whole.text], streamed, pixel });
