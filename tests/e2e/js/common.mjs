// What every scenario has, whichever client it speaks through: its arguments, what it asks, and a way to report.
const [host, model, ...rest] = process.argv.slice(2);

export { host, model, rest };
export const question = "What is the capital of France?";
export const messages = [{ role: "user", content: question }];
export const options = { temperature: 0, seed: 1, num_predict: 30 };
// A form that the model would never find by itself, and only a grammar can hold it to.
export const form = {
    type: "object",
    properties: { zone: { enum: ["north", "south"] }, capital: { enum: ["Berlin", "Rome", "Paris"] } },
    required: ["zone", "capital"],
    additionalProperties: false,
};
// Without the form the model answers with a sentence. With it, 300 tokens are more than any answer.
export const formQuestion = `${question} Answer like {"city": "Rome", "area": "large"}`;
export const pixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

export async function gathered(stream) {
    const parts = [];
    for await (const part of stream) {
        parts.push(part);
    }
    return parts;
}

export async function refusal(call) {
    try {
        await call();
    } catch (error) {
        const status = error.status_code ?? error.statusCode ?? error.cause?.status_code;
        return { name: error.name, message: error.message, status };
    }
    return null;
}

export function report(seen) {
    process.stdout.write(`${JSON.stringify(seen)}\n`);
}
