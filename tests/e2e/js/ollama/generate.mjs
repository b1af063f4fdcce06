import { client, gathered, messages, model, options, report } from "./scenario.mjs";

const prompt = messages[0].content;
const whole = await client.generate({ model, prompt, options });
const parts = await gathered(await client.generate({ model, prompt, options, stream: true }));
report({ whole, parts });
