import { join } from 'node:path'

/** One exact text of one file of the product, and what takes its place. */
export interface Mutation {
  /** From the root of the project. Below `sql/functions` it is carried out in the database. */
  readonly file: string
  readonly text: string
  readonly replacement: string
}

const root = join(import.meta.dirname, '../..')

/** Changes of the product, by name. Each text has to stand in its file exactly once. */
export const mutations = {
  'confirm-one-byte-more': [
    {
      file: 'src/sequencer/wal-stream.ts',
      text: 'formatLsn(this.#confirmation.lsn - 1n)',
      replacement: 'formatLsn(this.#confirmation.lsn)',
    },
  ],
  /** What a slot was confirmed for is not compared with what is recorded. */
  'any-recorded-slot': [
    {
      file: 'src/sequencer/trusted-slot.ts',
      text: 'return confirmedLsn <= recorded',
      replacement: 'return confirmedLsn >= 0n || recorded >= 0n',
    },
  ],
  'no-visibility-check': [
    {
      file: 'sql/functions/sequence_commits.sql',
      text: 'where not pg_visible_in_snapshot(t.id, pg_current_snapshot())',
      replacement: 'where false',
    },
  ],
  'fixed-slot-name': [
    {
      file: 'src/sequencer/slots.ts',
      text: "randomBytes(6).toString('hex')",
      replacement: "Buffer.from('always').toString('hex')",
    },
  ],
  'order-by-xid': ['sequence_from_table', 'sequence_window'].map((name) => ({
    file: `sql/functions/${name}.sql`,
    text: 'max(e.insert_id) as last_insert_id',
    replacement: 'e.transaction_id::text::bigint as last_insert_id',
  })),
  /** The generation is what refuses a leader that was superseded; the position, one that is behind. */
  'no-compare-and-set': [
    {
      file: 'sql/functions/sequence_window.sql',
      text: `  where s.generation = sequence_window.generation
    and s.mode = 'poll';`,
      replacement: ';',
    },
    {
      file: 'sql/functions/sequence_window.sql',
      text: `  where s.generation = sequence_window.generation
    and s.position = v_sequencer.position
  for update;`,
      replacement: '  for update;',
    },
  ],
  'no-debts-refused': [
    {
      file: 'sql/functions/refuse_inline_debt.sql',
      text: 'where d.transaction_id = new.transaction_id',
      replacement: 'where false',
    },
  ],
  'no-turns-inline': [
    {
      file: 'sql/functions/lock_inline_keys.sql',
      text: 'if keys is null or cardinality(keys) > 256 then',
      replacement: 'return; if keys is null then',
    },
  ],
  'no-wait-for-the-head': [
    {
      file: 'sql/functions/switch_inline.sql',
      text: `switch_inline.is_done := switch_inline.is_sequenced
    and (switch_inline.version is null or switch_inline.position is not distinct from switch_inline.head);`,
      replacement: 'switch_inline.is_done := true;',
    },
  ],
  'no-holding-back': [
    {
      file: 'src/subscriptions/apply-lanes.ts',
      text: 'if (key === null || !parked.has(lane.name, key)) return true',
      replacement: 'return true',
    },
  ],
  /** A checkpoint is moved by who believes in another number of partitions. */
  'any-number-of-partitions': [
    {
      file: 'src/subscriptions/checkpoint.ts',
      text: 'and partitions = $10',
      replacement: 'and $10::integer > 0',
    },
    {
      file: 'src/subscriptions/checkpoint.ts',
      text: 'and held.partitions = m.partitions',
      replacement: '',
    },
  ],
  /** A checkpoint is moved whoever has changed what was applied. */
  'any-revision': [
    {
      file: 'src/subscriptions/checkpoint.ts',
      text: 'and revision = $8',
      replacement: 'and $8::bigint >= 0',
    },
    {
      file: 'src/subscriptions/checkpoint.ts',
      text: 'and held.revision = m.revision',
      replacement: '',
    },
  ],
  /** What the broker did not confirm counts as published. */
  'no-confirmation': [
    {
      file: 'src/outbox/publish-patiently.ts',
      text: 'size.failed()',
      replacement: 'return true',
    },
  ],
  /** Changes nothing but the speed: commits that come together are written one after the other. */
  'one-commit-a-statement': [
    { file: 'src/sequencer/sequencer.ts', text: 'maxBatch: 5_000,', replacement: 'maxBatch: 1,' },
  ],
  /** Each worker believes that it leads. */
  'no-leader-lock': [
    {
      file: 'src/sequencer/leader-lock.ts',
      text: 'if (rows[0]?.leads === true) return true',
      replacement: 'return true',
    },
  ],
} as const satisfies Record<string, readonly Mutation[]>

export type MutationName = keyof typeof mutations

/** A file of the product, and what becomes of it. */
export interface MutatedFile {
  readonly path: string
  /** A function of the database; else a module that is loaded by the workers. */
  readonly isSql: boolean
  readonly mutate: (source: string) => string
}

/** Gives the files that change when all these mutations are made at once. */
export function mutatedFiles(names: readonly MutationName[]): readonly MutatedFile[] {
  const all: readonly Mutation[] = names.flatMap((name) => mutations[name])
  return [...new Set(all.map(({ file }) => file))].map((file) => ({
    path: join(root, file),
    isSql: file.startsWith('sql/functions/'),
    mutate: (source) => all.filter((one) => one.file === file).reduce(replaceOnce, source),
  }))
}

/**
 * Carries out a mutation on its file's source.
 *
 * @throws Error when the text is not there exactly once: the product has changed, and so has to do the
 *   mutation.
 */
function replaceOnce(source: string, { file, text, replacement }: Mutation): string {
  const count = source.split(text).length - 1
  if (count === 1) return source.replace(text, () => replacement)
  throw new Error(`a mutation is out of date: "${text}" stands in ${file} ${count} times, not once`)
}
