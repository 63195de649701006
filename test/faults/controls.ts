import type { MutationName } from './mutations.ts'
import type { Rule } from './oracle/fault-list.ts'
import { type RunSettings, usualSettings } from './run-settings.ts'
import type { Weights } from './weighted.ts'
import { usualWays } from './writers/writers.ts'

/**
 * A negative control: the product with one thing taken out, which the suite has to find out. Its
 * schedule is weighted towards the faults that matter for it.
 */
export interface Control {
  readonly name: MutationName
  /** What the product loses. */
  readonly breaks: string
  /** Rules of which one is to be broken. */
  readonly rules: readonly Rule[]
  /** Also what else is taken out, because it would save the product. Alone, that breaks no rule. */
  readonly settings: RunSettings
}

/** Nothing that a new slot, or a switch of what is inline, would have to wait for. */
const quickWays = { ...usualWays, 'held open': 0, prepared: 0 }

const withAll = { projections: 'all' } as const

export const controls: readonly Control[] = [
  {
    name: 'confirm-one-byte-more',
    breaks: 'a commit that begins where the confirmed one ends is never sent again',
    rules: ['order', 'lost'],
    settings: settingsFor({
      modes: { wal: 1 },
      // Whoever writes the second of two commits that touch each other dies of it.
      faults: { 'ledger commits at risk': 1 },
      faultPauseMs: { min: 50, max: 100 },
      mutations: ['any-recorded-slot', 'one-commit-a-statement'],
      // A commit begins where the confirmed one ends only while nobody else writes.
      writers: 1,
      ways: { 'at one moment': 1 },
    }),
  },
  {
    name: 'no-visibility-check',
    breaks: 'a position is given while its events wait for a standby',
    rules: ['visible'],
    settings: settingsFor({
      modes: { wal: 1 },
      faults: { 'replication stalled': 1 },
      impatient: 1,
    }),
  },
  {
    name: 'fixed-slot-name',
    breaks: 'a slot that was made and not recorded is taken for the one that was lost',
    rules: ['order', 'lost'],
    settings: settingsFor({
      modes: { wal: 1 },
      faults: { 'slot dropped': 1 },
      faultPauseMs: { min: 1_000, max: 3_000 },
      failpoints: { 'slot-created': 1 },
      mutations: ['any-recorded-slot'],
      ways: quickWays,
    }),
  },
  {
    name: 'order-by-xid',
    breaks: 'who began first comes first, whatever it saw',
    rules: ['version', 'order'],
    settings: settingsFor({
      modes: { poll: 1 },
      faults: { 'worker killed': 1 },
      faultPauseMs: { min: 2_000, max: 4_000 },
    }),
  },
  {
    name: 'no-compare-and-set',
    breaks: 'who led before writes on beside who leads now',
    rules: ['dense', 'repeated', 'order', 'version'],
    settings: settingsFor({
      modes: { poll: 1 },
      faults: { 'ledger commits at risk': 1 },
      mutations: ['no-leader-lock'],
      // The ledger's keys would stop most of it with an error.
      statements: [
        'alter table tidemark.commits drop constraint commits_transaction_key',
        'alter table tidemark.commits drop constraint commits_pkey',
      ],
    }),
  },
  {
    name: 'no-debts-refused',
    breaks: 'events are committed without what is inline, by who knows nothing of it',
    rules: ['inline', 'projection'],
    settings: settingsFor({
      ...withAll,
      faults: { 'inline switched': 1 },
      ways: { single: 1, 'raw insert': 1 },
    }),
  },
  {
    name: 'no-turns-inline',
    breaks: 'two appends write one row beside each other',
    rules: ['projection'],
    settings: settingsFor({ ...withAll, faults: { 'inline switched': 1 }, ways: quickWays }),
  },
  {
    name: 'no-wait-for-the-head',
    breaks: 'appends go on where workers have not come to',
    rules: ['projection'],
    settings: settingsFor({ ...withAll, faults: { 'inline switched': 1 }, ways: quickWays }),
  },
  {
    name: 'no-holding-back',
    breaks: 'later events of a key are applied before the one that is parked',
    rules: ['parked'],
    settings: settingsFor({
      ...withAll,
      faults: { 'parked retried': 1 },
      defective: 1,
      ways: quickWays,
    }),
  },
  {
    name: 'any-number-of-partitions',
    breaks: 'who knows the old number of partitions applies events beside who knows the new one',
    rules: ['projection'],
    settings: settingsFor({
      ...withAll,
      faults: { 'partitions changed': 1 },
      faultPauseMs: { min: 50, max: 200 },
      mutations: ['any-revision'],
      ways: quickWays,
    }),
  },
  {
    name: 'no-confirmation',
    breaks: 'messages are passed that no broker has confirmed',
    rules: ['message'],
    settings: settingsFor({
      ...withAll,
      faults: { 'broker away': 1, 'worker killed': 1 },
      ways: quickWays,
    }),
  },
]

/** What differs from a usual run. Of faults and failpoints there are those alone that are named. */
type Wanted = Partial<Omit<RunSettings, 'faults' | 'modes' | 'ways' | 'failpoints'>> & {
  readonly faults: Partial<RunSettings['faults']>
  readonly modes?: Partial<RunSettings['modes']>
  readonly ways?: Partial<RunSettings['ways']>
  readonly failpoints?: Partial<RunSettings['failpoints']>
}

/** What breaks a rule in these runs is to be the control alone. */
function settingsFor(wanted: Wanted): RunSettings {
  const { modes = { poll: 1 }, ways = usualWays, failpoints = { none: 1 }, faults } = wanted
  return {
    ...usualSettings,
    ...{ intruders: 0, defective: 0, projections: 'few' as const },
    ...wanted,
    modes: only(usualSettings.modes, modes),
    ways: only(usualSettings.ways, ways),
    faults: only(usualSettings.faults, faults),
    failpoints: only(usualSettings.failpoints, failpoints),
  }
}

/** Chooses among those that are named. */
function only<Name extends string>(
  all: Weights<Name>,
  some: Partial<Weights<Name>>,
): Weights<Name> {
  const none = Object.keys(all).map((name) => [name, 0])
  return { ...(Object.fromEntries(none) as Weights<Name>), ...some }
}

/** A control's settings, with what it is named after. */
export function brokenSettings({ name, settings }: Control): RunSettings {
  return { ...settings, mutations: [name, ...settings.mutations] }
}
