import type { ColumnType, JSONColumnType, RawBuilder } from 'kysely';

type GeneratedInstant = ColumnType<Date, Date | string | undefined, Date | string>;

/** Tables of the configuration (migration 0003). */
export interface ConfigTables {
  config_revisions: {
    number: number;
    digest: string;
    document: JSONColumnType<object>;
    sources: JSONColumnType<object>;
    source: 'file' | 'database';
    by: string;
    at: GeneratedInstant;
  };
  config_file: {
    only_row: ColumnType<boolean, boolean | undefined, never>;
    digest: string;
    document: JSONColumnType<object>;
    place: string;
    imported_at: GeneratedInstant;
  };
  config_replicas: { place: string; digest: string; seen_at: GeneratedInstant };
  config_objects: {
    section: string;
    name: string;
    value: JSONColumnType<object>;
    /** `bigint` arrives as text. */
    version: ColumnType<string, never, RawBuilder<string>>;
    changed_by: string;
    changed_at: GeneratedInstant;
  };
}
