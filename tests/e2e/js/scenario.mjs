// What every scenario has: a client of the server that is named on the command line, and a way to report.
import { Ollama } from "ollama";

const [host, model] = process.argv.slice(2);

export { model };
export const client = new Ollama({ host });
export const messages = [{ role: "user", content: "What is the capital of France?" }];
export const options = { temperature: 0, seed: 1, num_predict: 30 };

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
        return { name: error.name, message: error.message, status: error.status_code };
    }
    return null;
}

export function report(seen) {
    process.stdout.write(`${JSON.stringify(seen)}\n`);
}
