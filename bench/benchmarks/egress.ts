import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../packages/server/src/domain/clock.ts';
import type { Sandbox } from '../../packages/server/src/domain/ports/sandbox.ts';
import { defaultRefusedRanges } from '../../packages/server/src/egress/index.ts';
import { BubblewrapDriver } from '../../packages/server/src/sandboxes/bubblewrap/index.ts';
import { makeCertificate } from '../../packages/server/src/testing/egress-world.ts';
import type { BenchmarkContext, Figure, Measured } from '../lib/benchmark.ts';
import { processesWith, processorMs } from '../lib/process-memory.ts';
import { mebibyte, newSpec, runCommand } from '../lib/sandbox.ts';
import { median, percentile } from '../lib/statistics.ts';

const run$ = promisify(execFile);
const host = 'bench.example';

/** Sends as many MiB as the path says; a process of its own, as servers are. */
const serverProgram = `
const { createServer } = require('node:https');
const block = Buffer.alloc(1 << 20, 'x');
const server = createServer({ key: process.argv[1], cert: process.argv[2], keepAliveTimeout: 60000 }, (request, response) => {
  let left = Number(request.url.slice(1).split('?')[0]) || 0;
  response.writeHead(200, { 'content-length': left * block.length });
  const more = () => {
    while (left > 0) { left -= 1; if (!response.write(block)) return void response.once('drain', more); }
    response.end();
  };
  more();
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, signal, directory } = context;
  const { key, cert } = makeCertificate([host]);
  const caFile = join(directory, 'server.pem');
  writeFileSync(caFile, cert);
  const server = spawn(process.execPath, ['-e', serverProgram, '--', key, cert], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const relay = createServer({ noDelay: true });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
    });
    relay.on('connection', (inside) => {
      const outside = connect({ port, host: '127.0.0.1', noDelay: true });
      for (const one of [inside, outside]) one.on('error', () => undefined);
      inside.pipe(outside).pipe(inside);
    });
    await new Promise<void>((resolve) => {
      relay.listen(0, '127.0.0.1', resolve);
    });
    const relayPort = (relay.address() as AddressInfo).port;
    const driver = new BubblewrapDriver({
      stateDirectory: directory,
      clock: systemClock,
      idleMinutes: 2,
      egress: {
        refusedRanges: defaultRefusedRanges.filter((range) => range !== '127.0.0.0/8'),
        resolve: () => Promise.resolve(['127.0.0.1']),
        proxyEnv: {},
        trusted: [cert],
      },
    });
    const sandbox = await driver.create(newSpec(), signal);
    try {
      // The sandbox trusts the server itself as well: a tunnel shows it the server's own certificate.
      await sandbox.write('server.pem', Buffer.from(cert));
      const size = quick ? 16 : 200;
      const times = quick ? 1 : 5;
      const bare: number[] = [];
      const speeds = { tunnel: [] as number[], inspect: [] as number[] };
      const latencies = { tunnel: [] as number[], inspect: [] as number[] };
      const sandboxd = processesWith('sandboxd.mjs', sandbox.ref.id);
      const runner = processesWith('runner.mjs', sandbox.ref.id);
      /** Processor time per MiB of each process on the way: unlike speed it hardly depends on what else the machine does. */
      const costs = { bare: [] as Cost[], tunnel: [] as Cost[], inspect: [] as Cost[] };
      const costOf = async <T>(of: Cost[], act: () => Promise<T>): Promise<T> => {
        const used = (): Cost => {
          const { user, system } = process.cpuUsage();
          const sum = (pids: readonly number[]): number =>
            pids.reduce((all, pid) => all + processorMs(pid), 0);
          return { worker: (user + system) / 1_000, sandboxd: sum(sandboxd), runner: sum(runner) };
        };
        const before = used();
        const result = await act();
        const after = used();
        of.push({
          worker: (after.worker - before.worker) / size,
          sandboxd: (after.sandboxd - before.sandboxd) / size,
          runner: (after.runner - before.runner) / size,
        });
        return result;
      };
      for (let turn = 0; turn < times; turn += 1) {
        const { stdout } = await costOf(costs.bare, () =>
          run$(
            'curl',
            [
              ...quiet,
              '--cacert',
              caFile,
              '--resolve',
              `${host}:${relayPort}:127.0.0.1`,
              '-w',
              '%{speed_download}',
            ].concat(`https://${host}:${relayPort}/${size}`),
            { signal },
          ),
        );
        bare.push(Number(stdout) / mebibyte);
        for (const contents of ['tunnel', 'inspect'] as const) {
          sandbox.setEgress({ rules: [{ host, ports: [port], contents }] });
          const trust = contents === 'tunnel' ? ['--cacert', 'server.pem'] : [];
          const ask = (format: string, path: string): Promise<string> =>
            curlInside(sandbox, [...trust, '-w', format, `https://${host}:${port}/${path}`], signal);
          const speed = await costOf(costs[contents], () => ask('%{speed_download}', String(size)));
          speeds[contents].push(Number(speed) / mebibyte);
          const lines = (await ask('%{time_total}\\n', `0?[1-${quick ? 20 : 200}]`)).trim().split('\n');
          // The first opens the connection.
          latencies[contents].push(...lines.slice(1).map((seconds) => Number(seconds) * 1_000));
        }
      }
      const share = (values: readonly number[]): number => (median(values) / median(bare)) * 100;
      return {
        figures: [
          { name: 'bare relay, median', value: median(bare), unit: 'MiB/s' },
          { name: 'tunnel, median', value: median(speeds.tunnel), unit: 'MiB/s' },
          { name: 'inspected, median', value: median(speeds.inspect), unit: 'MiB/s' },
          {
            name: 'tunnel, of the bare relay',
            value: share(speeds.tunnel),
            unit: '%',
            goal: { atLeast: 60 },
          },
          {
            name: 'inspected, of the bare relay',
            value: share(speeds.inspect),
            unit: '%',
            goal: { atLeast: 60 },
          },
          cost('processor time of the bare relay', costs.bare, 'worker'),
          ...(['tunnel', 'inspect'] as const).flatMap((contents) =>
            (['worker', 'sandboxd', 'runner'] as const).map((who) =>
              cost(
                `processor time of ${who}, ${contents === 'tunnel' ? 'tunnel' : 'inspected'}`,
                costs[contents],
                who,
              ),
            ),
          ),
          { name: 'small request by tunnel, median', value: median(latencies.tunnel), unit: 'ms' },
          { name: 'small request by tunnel, p99', value: percentile(latencies.tunnel, 0.99), unit: 'ms' },
          { name: 'small request inspected, median', value: median(latencies.inspect), unit: 'ms' },
          { name: 'small request inspected, p99', value: percentile(latencies.inspect, 0.99), unit: 'ms' },
        ],
        notes: [
          `${size} MiB by HTTP/1.1 in one answer, ${times} times in turn; the server is another process of the machine.`,
        ],
      };
    } finally {
      await sandbox.destroy();
    }
  } finally {
    relay.close();
    server.kill();
  }
}

interface Cost {
  readonly worker: number;
  readonly sandboxd: number;
  readonly runner: number;
}

/** What one process needs for one MiB, median. */
function cost(name: string, costs: readonly Cost[], who: keyof Cost): Figure {
  return { name, value: median(costs.map((one) => one[who])), unit: 'ms/MiB' };
}

const quiet = ['-sS', '--http1.1', '-o', '/dev/null'];

async function curlInside(sandbox: Sandbox, args: readonly string[], signal: AbortSignal): Promise<string> {
  let said = '';
  await runCommand(sandbox, ['curl', ...quiet, ...args], {
    signal,
    onOutput: ({ data }) => {
      said += Buffer.from(data).toString();
    },
  });
  return said;
}
