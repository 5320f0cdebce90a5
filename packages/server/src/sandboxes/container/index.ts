export { ContainerDriver, type ContainerOptions } from './driver.ts';
