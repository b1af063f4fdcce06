// Leave one stream by its own `abort`, and another by the client's, after its first part.
import { client, messages, model, refusal, report } from "./scenario.mjs";

const heard = [];

async function left(leave) {
    const stream = await client.chat({ model, messages, stream: true });
    return refusal(async () => {
        for await (const part of stream) {
            heard.push(part.message.content);
            leave(stream);
        }
    });
}

const errors = [await left((stream) => stream.abort()), await left(() => client.abort())];
report({ heard, errors });
