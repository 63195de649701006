import type { MutationName } from './mutations.ts'
import type { Rule } from './oracle/fault-list.ts'
import { type RunSettings, usualSettings } from './run-settings.ts'
import type { FaultName, FaultWeights } from './schedule.ts'
import { usualWays } from './writers.ts'

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

/** Nothing that a new slot would have to wait for. */
const quickWays = { ...usualWays, 'held open': 0, prepared: 0 }

export const controls: readonly Control[] = [
  {
    name: 'confirm-one-byte-more',
    breaks: 'a commit that begins where the confirmed one ends is never sent again',
    rules: ['order', 'lost'],
    settings: settingsFor({
      modes: { auto: 0, wal: 1, poll: 0 },
      // Whoever writes the second of two commits that touch each other dies of it.
      faults: onlyFaults({ 'ledger commits at risk': 1 }),
      faultPauseMs: { min: 50, max: 100 },
      failpoints: noFailpoints(),
      mutations: ['any-recorded-slot', 'one-commit-a-statement'],
      // A commit begins where the confirmed one ends only while nobody else writes.
      writers: 1,
      ways: { ...noWays(), 'at one moment': 1 },
    }),
  },
  {
    name: 'no-visibility-check',
    breaks: 'a position is given while its events wait for a standby',
    rules: ['visible'],
    settings: settingsFor({
      modes: { auto: 0, wal: 1, poll: 0 },
      faults: onlyFaults({ 'replication stalled': 1 }),
      impatient: 1,
      failpoints: noFailpoints(),
    }),
  },
  {
    name: 'fixed-slot-name',
    breaks: 'a slot that was made and not recorded is taken for the one that was lost',
    rules: ['order', 'lost'],
    settings: settingsFor({
      modes: { auto: 0, wal: 1, poll: 0 },
      faults: onlyFaults({ 'slot dropped': 1 }),
      faultPauseMs: { min: 1_000, max: 3_000 },
      failpoints: { ...noFailpoints(), none: 0, 'slot-created': 1 },
      mutations: ['any-recorded-slot'],
      ways: quickWays,
    }),
  },
  {
    name: 'order-by-xid',
    breaks: 'who began first comes first, whatever it saw',
    rules: ['version', 'order'],
    settings: settingsFor({
      modes: { auto: 0, wal: 0, poll: 1 },
      faults: onlyFaults({ 'worker killed': 1 }),
      faultPauseMs: { min: 2_000, max: 4_000 },
      failpoints: noFailpoints(),
    }),
  },
  {
    name: 'no-compare-and-set',
    breaks: 'who led before writes on beside who leads now',
    rules: ['dense', 'repeated', 'order', 'version'],
    settings: settingsFor({
      modes: { auto: 0, wal: 0, poll: 1 },
      faults: onlyFaults({ 'ledger commits at risk': 1 }),
      failpoints: noFailpoints(),
      mutations: ['no-leader-lock'],
      // The ledger's keys would stop most of it with an error.
      statements: [
        'alter table tidemark.commits drop constraint commits_transaction_key',
        'alter table tidemark.commits drop constraint commits_pkey',
      ],
    }),
  },
]

/** What breaks a rule in these runs is to be the control alone. */
function settingsFor(settings: Partial<RunSettings>): RunSettings {
  return { ...usualSettings, intruders: 0, ...settings }
}

/** A control's settings, with what it is named after. */
export function brokenSettings({ name, settings }: Control): RunSettings {
  return { ...settings, mutations: [name, ...settings.mutations] }
}

function onlyFaults(weights: Partial<FaultWeights>): FaultWeights {
  const none = Object.keys(usualSettings.faults).map((name) => [name, 0])
  return { ...(Object.fromEntries(none) as Record<FaultName, number>), ...weights }
}

function noWays(): RunSettings['ways'] {
  const none = Object.keys(usualSettings.ways).map((name) => [name, 0])
  return Object.fromEntries(none) as RunSettings['ways']
}

function noFailpoints(): RunSettings['failpoints'] {
  const none = Object.keys(usualSettings.failpoints).map((name) => [name, 0])
  return { ...(Object.fromEntries(none) as RunSettings['failpoints']), none: 1 }
}
