/**
 * What a probe pod runs in Node: tries every target of its second argument (JSON, as the gate of sandboxd has them) in
 * parallel, four times a second, until all failed twice running, for 15 s at most. Prints `closed MILLISECONDS` or `open
 * NAME, NAME`, and stays, so that no other probe pod comes to its node.
 */
export const proofScript = `
const { connect } = require('node:net');
const { createSocket } = require('node:dgram');
const targets = JSON.parse(process.argv[1]);
const query = Buffer.from('4247010000010000000000000467617465' + '07696e76616c69640000010001', 'hex');
const tcp = ({ host, port }) => new Promise((done) => {
  const socket = connect({ host, port });
  const over = (reached) => { clearTimeout(timer); socket.destroy(); done(reached); };
  const timer = setTimeout(() => over(false), 1000);
  socket.once('connect', () => over(true));
  socket.on('error', () => over(false));
});
const dns = ({ host, port }) => new Promise((done) => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const over = (reached) => { clearTimeout(timer); try { socket.close(); } catch {} done(reached); };
  const timer = setTimeout(() => over(false), 1000);
  socket.once('message', () => over(true));
  socket.on('error', () => over(false));
  socket.send(query, port, host, () => {});
});
(async () => {
  const begun = Date.now();
  let failures = 0;
  let closedMs = 0;
  for (;;) {
    const startedMs = Date.now() - begun;
    const found = await Promise.all(targets.map((one) => (one.protocol === 'dns' ? dns(one) : tcp(one))));
    const reached = targets.filter((_, index) => found[index]).map(({ name }) => name);
    if (reached.length > 0) failures = 0;
    else if (++failures === 1) closedMs = startedMs;
    if (failures === 2) { console.log('closed ' + closedMs); break; }
    if (Date.now() - begun > 15000) { console.log('open ' + (reached.join(', ') || 'something')); break; }
    await new Promise((next) => setTimeout(next, 250));
  }
  setInterval(() => {}, 60000);
})();
process.on('SIGTERM', () => process.exit(143));
`;
