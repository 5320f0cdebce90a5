export { KubernetesDriver, type KubernetesOptions } from './driver.ts';
export { kubernetesFromEnvironment } from './from-environment.ts';
export { credentialsOf, loadCredentials, openConnection, type ApiConnection } from './connection.ts';
export { reachByAddress, type Reach } from './reach.ts';
export { reachByPortForward } from './port-forward.ts';
export { capacityCodes } from './pod-state.ts';
