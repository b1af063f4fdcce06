// A tool that is bound, called whole and streamed, and answered; then the same as a structured output.
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { z } from "zod";

import { chat, gathered, report } from "./scenario.mjs";

const schema = z.object({ city: z.string() });
const weather = tool(({ city }) => `It rains in ${city}.`, { name: "get_weather", description: "Look.", schema });
const bound = chat().bindTools([weather]);
const asked = [new HumanMessage("use get_weather")];
const called = await bound.invoke(asked);
const streamed = await gathered(await bound.stream(asked));
const results = await Promise.all(called.tool_calls.map((call) => weather.invoke(call)));
const answered = await bound.invoke([...asked, called, ...results]);
const structured = chat().withStructuredOutput(schema, { name: "locate", method: "functionCalling" });
report({
    called: called.tool_calls,
    streamed: streamed.flatMap((part) => part.tool_calls ?? []),
    results: results.map((result) => result instanceof ToolMessage && result.content),
    answered: answered.content,
    structured: await structured.invoke("use locate"),
});
