import { client, messages, model, options, report } from "./scenario.mjs";

const format = {
    type: "object",
    properties: { zone: { enum: ["north", "south"] }, capital: { enum: ["Berlin", "Rome", "Paris"] } },
    required: ["zone", "capital"],
    additionalProperties: false,
};
report(await client.chat({ model, messages, format, options: { ...options, num_predict: 200 } }));
