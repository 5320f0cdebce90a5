import { sandboxdBundle } from '../packages/sandboxd/src/bundle.ts';

/** Everything that is not run from its sources. Does nothing when all of it is newer than what it is made of. */
await sandboxdBundle();
