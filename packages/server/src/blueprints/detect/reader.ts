/** A repository at one commit, as detection sees it: names and texts, never anything that runs. */
export interface RepositoryReader {
  /** Every file, as paths relative to the root with `/`. Submodules and links are not in it. */
  readonly files: readonly string[];
  /** The file's text; null when it does not exist, is no text, or is larger than the reader allows. */
  read(path: string): Promise<string | null>;
}

/** Manifests larger than this are not looked into, in characters. */
const maxManifestCharacters = 1_048_576;

/** One directory of a repository, with the questions detectors ask. */
export interface Place {
  /** `.` or a relative path without a final slash. */
  readonly directory: string;
  /** Names of the files that lie in it directly. */
  readonly names: ReadonlySet<string>;
  /** All files below it, relative to it. */
  readonly files: readonly string[];
  /** The text of a file in it; null when there is none or it is too large. */
  read(name: string): Promise<string | null>;
}

export function placeOf(repository: RepositoryReader, directory: string): Place {
  const prefix = directory === '.' ? '' : `${directory}/`;
  const files = repository.files
    .filter((file) => file.startsWith(prefix))
    .map((file) => file.slice(prefix.length));
  return {
    directory,
    files,
    names: new Set(files.filter((file) => !file.includes('/'))),
    read: async (name) => {
      if (!files.includes(name)) return null;
      const text = await repository.read(`${prefix}${name}`);
      return text === null || text.length > maxManifestCharacters ? null : text;
    },
  };
}
