import type { Config } from '../../domain/config/index.ts';
import { builtForges, forgeOfRepository } from '../../domain/forge-of-project.ts';
import type { BrokenRule } from './rules.ts';

/** Code hosts that this Berth cannot speak with, and projects that name one that is not theirs. Pure. */
export function forgeRules(config: Config): BrokenRule[] {
  return [
    ...config.forges.flatMap(({ kind, name, url, apiUrl }, place) => {
      const broken: BrokenRule[] = [];
      if (!builtForges.includes(kind)) {
        broken.push({
          path: ['forges', place, 'kind'],
          sentence: `${name} is of the kind ${kind}, which this version of Berth has no adapter for (it has: ${builtForges.join(', ')}, and local without any configuration)`,
        });
      }
      for (const [key, address] of [
        ['url', url],
        ['apiUrl', apiUrl],
      ] as const) {
        const fault = address === undefined ? null : addressFault(address);
        if (fault !== null) broken.push({ path: ['forges', place, key], sentence: fault });
      }
      return broken;
    }),
    ...config.projects.flatMap(({ forge, repository }, place) => {
      if (forge === undefined) return [];
      const choice = forgeOfRepository(config, repository);
      if (choice.kind !== 'unknown') return [];
      const names = config.forges.map(({ name }) => name).join(', ');
      const known = names === '' ? 'there is none' : `there are: ${names}`;
      return [
        { path: ['projects', place, 'forge'], sentence: `${choice.sentence.replace(/\.$/, '')} (${known})` },
      ];
    }),
  ];
}

function addressFault(address: string): string | null {
  const url = URL.parse(address);
  if (url === null) return null;
  if (url.search !== '' || url.hash !== '') return 'an address without ? and # is needed';
  const isLoopback =
    url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.');
  return url.protocol === 'http:' && !isLoopback
    ? 'https:// is needed: the credential could be read on its way'
    : null;
}
