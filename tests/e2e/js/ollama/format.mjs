import { client, form as format, formQuestion as content, model, options, report } from "./scenario.mjs";

const messages = [{ role: "user", content }];
report(await client.chat({ model, messages, format, options: { ...options, num_predict: 300 } }));
