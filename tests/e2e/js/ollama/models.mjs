import { client, messages, model, options, report } from "./scenario.mjs";

await client.chat({ model, messages, options: { ...options, num_predict: 1 } });
const [list, running, shown] = [await client.list(), await client.ps(), await client.show({ model })];
report({ list, running, shown });
