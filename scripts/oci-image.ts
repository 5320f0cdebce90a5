import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * Writes an image of one layer as an OCI archive, as `ctr images import`, `podman load` and `skopeo` read it.
 * @param layer a tar file
 * @param name what it is called where it is imported, with a tag
 */
export function writeOciImage(layer: string, name: string, archive: string): void {
  const work = mkdtempSync(join(tmpdir(), 'berth-oci-'));
  const blobs = join(work, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  const add = (bytes: Buffer): { readonly digest: string; readonly size: number } => {
    const hash = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hash), bytes);
    return { digest: `sha256:${hash}`, size: bytes.length };
  };
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  try {
    const plain = readFileSync(layer);
    const diffId = `sha256:${createHash('sha256').update(plain).digest('hex')}`;
    const compressed = add(gzipSync(plain, { level: 1 }));
    const config = add(
      json({
        architecture: architectures[process.arch] ?? process.arch,
        os: 'linux',
        config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
        rootfs: { type: 'layers', diff_ids: [diffId] },
        history: [],
      }),
    );
    const manifest = add(
      json({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...compressed }],
      }),
    );
    const annotations = { 'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name };
    const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest, annotations };
    writeFileSync(join(work, 'index.json'), json({ schemaVersion: 2, manifests: [entry] }));
    writeFileSync(join(work, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
    const made = join(work, 'image.tar');
    execFileSync('tar', ['-cf', made, '-C', work, 'oci-layout', 'index.json', 'blobs']);
    copyFileSync(made, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
