import type { Forge } from './domain/ports/forge.ts';
export function localForges(_home: string): (projectId: string) => Forge { return () => { throw new Error('no forge yet'); }; }
