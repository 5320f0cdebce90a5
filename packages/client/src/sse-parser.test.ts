import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SseParser } from './sse-parser.ts';

test('messages come out whole however the stream is cut', () => {
  const message = fc.record({
    event: fc.constantFrom('event', 'frame', 'end'),
    data: fc.string().map((text) => JSON.stringify(text)),
    id: fc.option(fc.nat().map(String)),
  });
  fc.assert(
    fc.property(
      fc.array(message),
      fc.array(fc.nat(40)),
      fc.constantFrom('\n', '\r\n'),
      (messages, cuts, lineEnd) => {
        const text = messages
          .map(({ event, data, id }) =>
            [
              ...(id === null ? [] : [`id: ${id}`]),
              `event: ${event}`,
              `data: ${data}`,
              '',
              ': alive',
              '',
              '',
            ].join(lineEnd),
          )
          .join('');
        const parser = new SseParser();
        const seen = [];
        let from = 0;
        for (const cut of [...cuts, text.length]) {
          seen.push(...parser.push(text.slice(from, from + cut)));
          from += cut;
        }
        seen.push(...parser.push(text.slice(from)));
        expect(seen).toEqual(messages);
      },
    ),
  );
});

test('data over several lines is one message, comments and bare retry hints are none', () => {
  const parser = new SseParser();
  expect(parser.push('retry: 500\n\n: alive\n\ndata: a\ndata: b\n\n')).toEqual([
    { event: 'message', data: 'a\nb', id: null },
  ]);
});
