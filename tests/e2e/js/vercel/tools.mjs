// The step loop: the tool is called, run here, and its result answered, whole and streamed.
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { chosen as model, gathered, report, settings } from "./scenario.mjs";

const inputSchema = z.object({ city: z.string() });
const execute = async ({ city }) => `It rains in ${city}.`;
const tools = { get_weather: tool({ description: "Look.", inputSchema, execute }) };
const asked = { model, tools, prompt: "use get_weather", stopWhen: stepCountIs(5), ...settings };
const whole = await generateText(asked);
const stream = streamText(asked);
await gathered(stream.fullStream);
const told = (steps) =>
    steps.map((step) => ({
        text: step.text,
        calls: step.toolCalls.map((call) => [call.toolName, call.input]),
        results: step.toolResults.map((result) => result.output),
    }));
report({ whole: told(whole.steps), streamed: told(await stream.steps) });
