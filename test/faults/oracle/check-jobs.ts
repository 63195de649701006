import type { FaultList } from './fault-list.ts'

/** A reactor, and what is known of where in the log it began. */
export interface KnownReactor {
  readonly name: string
  /** A position that it began at or after. */
  readonly earliest: bigint
  /** A position that it began at or before; undefined when nobody knows. */
  readonly latest: bigint | undefined
}

/** Compares the jobs that reactors enqueued, by event, with those that the events ask for. */
export function checkJobs(
  found: ReadonlyMap<string, readonly string[]>,
  asking: ReadonlyMap<string, bigint>,
  reactors: readonly KnownReactor[],
  faults: FaultList,
): void {
  const names = new Set([...found.keys(), ...reactors.map(({ name }) => name)])
  for (const name of names) {
    const reactor = reactors.find((one) => one.name === name)
    const jobs = found.get(name) ?? []
    if (reactor === undefined) faults.add('job', `${jobs.length} jobs of a reactor "${name}"`)
    else checkReactor(reactor, jobs, asking, faults)
  }
}

function checkReactor(
  reactor: KnownReactor,
  found: readonly string[],
  asking: ReadonlyMap<string, bigint>,
  faults: FaultList,
): void {
  const counts = new Map<string, number>()
  for (const event of found) counts.set(event, (counts.get(event) ?? 0) + 1)
  const begin = beginOf(reactor, found, asking)
  for (const event of new Set([...asking.keys(), ...counts.keys()])) {
    const position = asking.get(event)
    const [is, belongs] = [
      counts.get(event) ?? 0,
      position !== undefined && position > begin ? 1 : 0,
    ]
    if (is === belongs) continue
    const name = `event ${event} at ${position ?? 'no position'}`
    faults.add('job', `${name} has ${is} jobs of reactor "${reactor.name}", not ${belongs}`)
  }
}

/** A job of an event says that it began before that event: from there on each has one. */
function beginOf(
  { earliest, latest }: KnownReactor,
  found: readonly string[],
  asking: ReadonlyMap<string, bigint>,
): bigint {
  let begin = latest
  for (const event of found) {
    const position = asking.get(event)
    if (position === undefined) continue
    if (begin === undefined || position <= begin) begin = position - 1n
  }
  if (begin === undefined)
    return asking.values().reduce((most, one) => (one > most ? one : most), 0n)
  return begin > earliest ? begin : earliest
}
