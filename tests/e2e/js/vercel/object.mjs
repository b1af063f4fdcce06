import { generateObject, generateText, Output } from "ai";
import { z } from "zod";

import { chosen as model, formQuestion as prompt, report, settings } from "./scenario.mjs";

const schema = z.object({ zone: z.enum(["north", "south"]), capital: z.enum(["Berlin", "Rome", "Paris"]) });
const { object } = await generateObject({ model, prompt, schema, ...settings });
const { output } = await generateText({ model, prompt, output: Output.object({ schema }), ...settings });
report({ object, output });
