import type { EcosystemSource } from './ecosystems.ts';

export interface SandboxNetwork {
  /** Where sandboxd's proxy listens inside the sandbox: HTTP and SOCKS5 on one port. */
  readonly proxyPort: number;
  /** A file of certificate authorities inside the sandbox, when there is one. */
  readonly caFile: string | null;
  /** The same authorities as a trust store for Java (PKCS #12, no password), when there is one. */
  readonly javaTrustStore?: string;
}

/**
 * The variables that lead the programs inside a sandbox to its one way out. Both spellings of each: curl reads
 * only the small `http_proxy`, others only the large ones. Node's own fetch needs `NODE_USE_ENV_PROXY`.
 */
export function proxyEnv({ proxyPort, caFile, javaTrustStore }: SandboxNetwork): Record<string, string> {
  const http = `http://127.0.0.1:${proxyPort}`;
  // socks5h: names are resolved by the proxy; there is no resolver inside.
  const socks = `socks5h://127.0.0.1:${proxyPort}`;
  const near = 'localhost,127.0.0.1,::1';
  return {
    HTTP_PROXY: http,
    http_proxy: http,
    HTTPS_PROXY: http,
    https_proxy: http,
    ALL_PROXY: socks,
    all_proxy: socks,
    NO_PROXY: near,
    no_proxy: near,
    npm_config_proxy: http,
    npm_config_https_proxy: http,
    npm_config_noproxy: near,
    YARN_HTTP_PROXY: http,
    YARN_HTTPS_PROXY: http,
    PIP_PROXY: http,
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    CARGO_HTTP_PROXY: http,
    NODE_USE_ENV_PROXY: '1',
    // gRPC reads only these.
    grpc_proxy: http,
    no_grpc_proxy: near,
    JAVA_TOOL_OPTIONS: javaOptions(proxyPort, javaTrustStore),
    ...(caFile === null ? {} : certificateEnv(caFile)),
  };
}

/** Java knows neither the variables nor the system's authorities. */
function javaOptions(proxyPort: number, trustStore: string | undefined): string {
  return [
    '-Dhttp.proxyHost=127.0.0.1',
    `-Dhttp.proxyPort=${proxyPort}`,
    '-Dhttps.proxyHost=127.0.0.1',
    `-Dhttps.proxyPort=${proxyPort}`,
    '-Dhttp.nonProxyHosts=localhost|127.*|[::1]',
    ...(trustStore === undefined
      ? []
      : [`-Djavax.net.ssl.trustStore=${trustStore}`, '-Djavax.net.ssl.trustStoreType=PKCS12']),
  ].join(' ');
}

/** Operators with a private authority put it into the system's file; not every tool reads that by itself. */
function certificateEnv(caFile: string): Record<string, string> {
  return {
    NODE_EXTRA_CA_CERTS: caFile,
    npm_config_cafile: caFile,
    SSL_CERT_FILE: caFile,
    CURL_CA_BUNDLE: caFile,
    GIT_SSL_CAINFO: caFile,
    PIP_CERT: caFile,
    REQUESTS_CA_BUNDLE: caFile,
    CARGO_HTTP_CAINFO: caFile,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: caFile,
    YARN_HTTPS_CA_FILE_PATH: caFile,
    AWS_CA_BUNDLE: caFile,
    DENO_CERT: caFile,
    NIX_SSL_CERT_FILE: caFile,
    BUNDLE_SSL_CA_CERT: caFile,
    COMPOSER_CAFILE: caFile,
    HEX_CACERTS_PATH: caFile,
  };
}

/**
 * The registry settings of the worker's own tools, without credentials, so that tools inside use the operator's
 * mirrors. For every ecosystem, allowed or not: policies change from step to step, the environment does not, and a
 * refusal then names the host that would have to be allowed.
 */
export async function registryEnv(ecosystems: EcosystemSource): Promise<Record<string, string>> {
  const wanted = ['npm', 'pip', 'go', 'cargo'] as const;
  const facts = await Promise.all(wanted.map((ecosystem) => ecosystems.facts(ecosystem)));
  return Object.assign({}, ...facts.map(({ env }) => env)) as Record<string, string>;
}
