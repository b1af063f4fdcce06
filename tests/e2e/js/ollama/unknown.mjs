import { client, gathered, messages, refusal, report } from "./scenario.mjs";

const model = "nobody";
report([
    await refusal(() => client.chat({ model, messages })),
    await refusal(async () => gathered(await client.chat({ model, messages, stream: true }))),
    await refusal(() => client.show({ model })),
]);
