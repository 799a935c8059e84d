// Sends messages.json by the published client for Node. usage: node send.mjs HOST WRITE_KEY WHO
import { readFileSync } from 'node:fs';
import { Analytics } from '@segment/analytics-node';

const [host, writeKey, who] = process.argv.slice(2);
const messages = JSON.parse(readFileSync(new URL('messages.json', import.meta.url), 'utf8').replaceAll('{who}', who));
const analytics = new Analytics({ host, writeKey, flushAt: 5, maxRetries: 2 });
let failed = 0;
analytics.on('error', (error) => {
  failed += 1;
  console.error('error', error);
});
for (const { call, timestamp, ...fields } of messages) analytics[call]({ ...fields, timestamp: new Date(timestamp) });
await analytics.flush({ close: true, timeout: 20000 });
process.exit(failed === 0 ? 0 : 1);
