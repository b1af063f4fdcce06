import { client, model, options, report } from "./scenario.mjs";

const format = {
    type: "object",
    properties: { zone: { enum: ["north", "south"] }, capital: { enum: ["Berlin", "Rome", "Paris"] } },
    required: ["zone", "capital"],
    additionalProperties: false,
};
// Without the format the model answers with a sentence. With it, 300 tokens are more than any answer.
const content = 'What is the capital of France? Answer like {"city": "Rome", "area": "large"}';
const messages = [{ role: "user", content }];
report(await client.chat({ model, messages, format, options: { ...options, num_predict: 300 } }));
