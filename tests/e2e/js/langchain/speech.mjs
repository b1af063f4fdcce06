// Thoughts, and an image as LangChain writes it: a data URL in the content.
import { HumanMessage } from "@langchain/core/messages";

import { chat, gathered, pixel, report } from "./scenario.mjs";

const whole = await chat({ think: true }).invoke("Why?");
const parts = await gathered(await chat({ think: true }).stream("Why?"));
const image = { type: "image_url", image_url: `data:image/png;base64,${pixel}` };
await chat().invoke([new HumanMessage({ content: [{ type: "text", text: "Look." }, image] })]);
report({
    whole: [whole.additional_kwargs.reasoning_content, whole.content],
    thought: parts.map((part) => part.additional_kwargs.reasoning_content ?? "").join(""),
    said: parts.map((part) => part.content).join(""),
    pixel,
});
