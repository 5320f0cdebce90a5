export { BubblewrapDriver, type BubblewrapOptions } from './driver.ts';
export { defaultStateDirectory } from '../local/state-directory.ts';
