// Evaluates flags by the OpenFeature SDK and prints what it was told, a line of JSON each.
// usage: node evaluate.mjs HOST KEY USERS
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const [host, key, users] = process.argv.slice(2);
const headers = [['Authorization', `Bearer ${key}`]];
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: host, headers }));
const client = OpenFeature.getClient();
const print = (what, details) => console.log(JSON.stringify({ what, ...details }));

for (let i = 0; i < Number(users); ++i) {
  print('color', { user: `u${i}`, ...(await client.getStringDetails('button.color', 'none', { targetingKey: `u${i}` })) });
}
const tester = { targetingKey: 'tester', plan: 'free', address: { street: 'x' }, since: null };
print('string', await client.getStringDetails('button.color', 'none', tester));
print('boolean', await client.getBooleanDetails('big', false, tester));
print('number', await client.getNumberDetails('columns', 1, tester));
print('object', await client.getObjectDetails('sections', [], tester));
print('unknown', await client.getStringDetails('button.shape', 'round', tester));
print('no key', await client.getStringDetails('button.color', 'none', {}));
print('wrong type', await client.getBooleanDetails('columns', true, tester));
print('pro', await client.getStringDetails('pro.only', 'none', { targetingKey: 'ann', plan: 'pro' }));
print('free', await client.getStringDetails('pro.only', 'none', { targetingKey: 'ann', plan: 'free' }));
await OpenFeature.close();
