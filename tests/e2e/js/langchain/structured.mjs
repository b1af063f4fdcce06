// A form given as a zod schema (which goes as `format`) and as a JSON schema, and plain JSON.
import { z } from "zod";

import { chat, form, formQuestion, report } from "./scenario.mjs";

const schema = z.object({ zone: z.enum(["north", "south"]), capital: z.enum(["Berlin", "Rome", "Paris"]) });
report({
    zod: await chat().withStructuredOutput(schema, { method: "jsonSchema" }).invoke(formQuestion),
    form: await chat().withStructuredOutput(form, { method: "jsonSchema" }).invoke(formQuestion),
    json: (await chat({ format: "json" }).invoke('Answer with the JSON {"answer": true}')).content,
});
