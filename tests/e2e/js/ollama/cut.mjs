import { client, messages, model, refusal, report } from "./scenario.mjs";

const heard = [];
const error = await refusal(async () => {
    for await (const part of await client.chat({ model, messages, stream: true })) {
        heard.push(part);
    }
});
report({ heard, error });
