import { projection } from '../../../src/index.ts'
import { accountsIn, lastEntries } from '../../worker/fixtures/accounts.ts'
import { always, type Entry, entryOf, events, fold, step, sum, tables } from './levels.ts'
import { patient } from './patient.ts'

const stepped = {
  key: ({ data }: Entry) => data.account,
  on: always((_db: unknown, event: Entry) => step(event.data.account, entryOf(event))),
}

/** By `each` alone. */
const steps = projection('steps', {
  version: 1,
  events,
  tables: { stepped: tables.stepped },
}).each(stepped)

/** By `batch` alone, so that the events stay in the server. */
const totals = projection('totals', {
  version: 1,
  events,
  tables: { balances: tables.balances },
}).batch((_db, relation) => sum(relation()))

/** By all levels, and divided from the beginning. */
export function dividedIn(version: number) {
  return byAllLevels('divided', version, { partitions: 3 })
}

/** By all levels; by appends themselves for a part of the time. */
export function promptIn(version: number) {
  return byAllLevels('prompt', version, { canBeInline: true })
}

interface ByAllLevels {
  readonly partitions?: number
  readonly canBeInline?: boolean
}

function byAllLevels(name: string, version: number, options: ByAllLevels) {
  return projection(name, { version, events, tables, ...options })
    .fold('folded', { key: ({ data }) => ({ account: data.account }), on: always(fold) })
    .each(stepped)
    .batch((_db, relation) => sum(relation()))
}

/** Which projections a run has: few are enough where it is about the order of the log alone. */
export type Extent = 'few' | 'all'

/**
 * The projections of a run, in all of their versions.
 *
 * @param hasDefect whether it is the code that cannot apply some events.
 */
export function projectionsOf(extent: Extent, hasDefect: boolean) {
  const few = [accountsIn(1), accountsIn(2), lastEntries]
  if (extent === 'few') return few
  const divided = [dividedIn(1), dividedIn(2), promptIn(1), promptIn(2)]
  return [...few, steps, totals, ...divided, patient(hasDefect)]
}

/** The subscriptions that a run has whatever has happened, as kind, name and version. */
export function lastingSubscriptions(extent: Extent): readonly string[] {
  const names = extent === 'few' ? [] : ['steps', 'totals', 'patient']
  const projections = ['last_entries', ...names].map((name) => `projection ${name} 1`)
  const messages = extent === 'few' ? [] : ['route deposits 1', 'relay outgoing 1']
  return [...projections, 'reactor large-deposits 1', ...messages]
}
