/**
 * The places at which a process may die, fail or stand still and leave the most behind:
 *
 * - `commit-received`: a commit came from the WAL; the ledger does not have it
 * - `ledger-sent`: the statement that writes the ledger is on its way; its outcome is unknown
 * - `ledger-written`: the ledger has the commits; the server has not been told
 * - `slot-created`: a replication slot exists that is recorded nowhere
 * - `slot-trusted`: one is trusted and not streamed from yet
 * - `chunk-applied`: a subscription has applied a chunk and not committed it
 * - `event-parked`: a subscription has parked an event and not committed it
 * - `parked-retried`: parked events are applied and not parked any more, not committed yet
 * - `partitions-asked`: another number of partitions is asked for, not committed yet
 * - `partitions-replaced`: there are so many now, not committed yet
 * - `indexes-made`: a version that was rebuilt has its indexes, not committed yet
 * - `version-ready`: it is said to be ready, not committed yet
 * - `version-switched`: another version of a projection is live, not committed yet
 * - `views-switched`: the views show it, not committed yet
 * - `version-dropped`: a version and its tables are gone, not committed yet
 * - `version-reset`: its tables are empty and its checkpoint is back, not committed yet
 * - `inline-guarded`: appends alone may write the tables of a version, not committed yet
 * - `inline-owed`: events are appended, and not applied to the inline projections that read them
 * - `inline-applied`: events are appended and applied to inline projections, not committed yet
 * - `inline-switched`: what is inline has changed, not committed yet
 * - `process-acted`: a command of a process is carried out and its outcome recorded, not committed yet
 * - `process-outcome-recorded`: both are committed; the job that did it is not known to be done
 * - `relay-confirmed`: a broker has confirmed messages of a relay; its checkpoint has not moved
 * - `retried-confirmed`: a broker has confirmed parked messages; they are parked still
 */
export type Failpoint =
  | 'commit-received'
  | 'ledger-sent'
  | 'ledger-written'
  | 'slot-created'
  | 'slot-trusted'
  | 'chunk-applied'
  | 'event-parked'
  | 'parked-retried'
  | 'partitions-asked'
  | 'partitions-replaced'
  | 'indexes-made'
  | 'version-ready'
  | 'version-switched'
  | 'views-switched'
  | 'version-dropped'
  | 'version-reset'
  | 'inline-guarded'
  | 'inline-owed'
  | 'inline-applied'
  | 'inline-switched'
  | 'process-acted'
  | 'process-outcome-recorded'
  | 'relay-confirmed'
  | 'retried-confirmed'

let reached: ((failpoint: Failpoint) => void) | undefined

/** Marks a place for tests. Does nothing unless a test has asked to be told. */
export function failpoint(name: Failpoint): void {
  reached?.(name)
}

/** Has a test told of each failpoint that this process reaches. Not part of the package's interface. */
export function onFailpoint(listener: (failpoint: Failpoint) => void): void {
  reached = listener
}
