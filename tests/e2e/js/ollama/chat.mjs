import { client, gathered, messages, model, options, report } from "./scenario.mjs";

const whole = await client.chat({ model, messages, options });
const parts = await gathered(await client.chat({ model, messages, options, stream: true }));
report({ whole, parts });
