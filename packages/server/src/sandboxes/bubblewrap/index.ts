export { BubblewrapDriver, defaultStateDirectory, type BubblewrapOptions } from './driver.ts';
