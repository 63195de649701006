import { expect } from 'vitest'
import type { History, Look, Tried, Unit } from './perform.ts'
import { eventName, type Outcome, StoreModel } from './store-model.ts'

/** An event as it is in the table. */
export interface StoredEvent {
  readonly streamId: string
  readonly version: bigint
  readonly insertId: bigint
  readonly id: string
  readonly type: string
  readonly n: number
  readonly tags: readonly string[]
  readonly attempt: string
  readonly token: string
}

/**
 * Checks that what came of a schedule is what would have come of its transactions one after the other.
 *
 * They follow each other by their places: that of the last event, or one that was drawn just before
 * the end. Of two that concern each other the second has waited for the end of the first, and got its
 * place after that: so this is a right order, if there is one. What has no place has left nothing, and
 * is to be explained by some moment between its begin and its end.
 */
export function explain(
  { units, looks }: History,
  log: readonly StoredEvent[],
  keys: readonly string[],
): void {
  const ordered = inOrder(units, log)
  const model = new StoreModel()
  const moments = [model.copy()]
  for (const unit of ordered) {
    const target = unit.end === 'commit' ? model : model.copy()
    expect(outcomesOf(unit)).toEqual(replay(target, unit))
    moments.push(model.copy())
  }
  expect(keptIn(model)).toEqual(log.map(toKept))
  expect(keys.toSorted()).toEqual(model.keys.toSorted())

  for (const unit of units) {
    if (ordered.includes(unit)) continue
    const { first, last } = momentsOf(unit, ordered)
    const candidates = moments.slice(first, last + 1).map((moment) => replay(moment.copy(), unit))
    expect(candidates).toContainEqual(outcomesOf(unit))
  }
  for (const look of looks) checkLook(look, ordered, log)
}

/** Puts those that have a place in the order of their places. */
function inOrder(units: readonly Unit[], log: readonly StoredEvent[]): readonly Unit[] {
  const last = new Map<string, bigint>()
  for (const { attempt, insertId } of log) {
    if (insertId > (last.get(attempt) ?? 0n)) last.set(attempt, insertId)
  }
  const placed = units.flatMap((unit) => {
    const place = unit.place ?? last.get(unit.tries[0]?.name ?? '')
    return place === undefined ? [] : [{ unit, place }]
  })
  return placed.toSorted((a, b) => (a.place < b.place ? -1 : 1)).map(({ unit }) => unit)
}

function wasAppended(outcome: Outcome): outcome is Extract<Outcome, { token: string }> {
  return 'versions' in outcome && !outcome.replayed
}

function outcomesOf({ tries }: Unit): readonly Outcome[] {
  return tries.map(({ outcome }) => outcome)
}

/** What the model makes of a transaction, and of the model the transaction. */
function replay(model: StoreModel, unit: Unit): readonly Outcome[] {
  const token = tokenOf(unit.tries) ?? unit.name
  return unit.tries.map(({ name, call }) => model.append({ name, call, token }))
}

/** All calls of a transaction that append have its token, which only the server knows. */
function tokenOf(tries: readonly Tried[]): string | undefined {
  return tries.map(({ outcome }) => outcome).find(wasAppended)?.token
}

/** Between which numbers of transactions one that left nothing has taken place. */
function momentsOf({ began, ended }: Unit, ordered: readonly Unit[]) {
  const first = ordered.findLastIndex((other) => other.ended < began) + 1
  const next = ordered.findIndex((other) => other.began > ended)
  return { first, last: next < 0 ? ordered.length : next }
}

/** Checks that a read had whole transactions: all that were over, and none that had not begun. */
function checkLook(
  { began, ended, seen }: Look,
  ordered: readonly Unit[],
  log: readonly StoredEvent[],
): void {
  const known = new Set<string>()
  for (const unit of ordered) {
    const attempts = new Set(unit.tries.map(({ name }) => name))
    const events = log.filter(({ attempt }) => attempts.has(attempt)).map(nameOf)
    for (const event of events) known.add(event)
    const there = events.filter((event) => seen.has(event)).length
    if (unit.ended < began) expect(there, `of ${unit.name}, which was over`).toBe(events.length)
    else if (unit.began > ended) expect(there, `of ${unit.name}, which was to come`).toBe(0)
    else expect([0, events.length], `of ${unit.name}, in part`).toContain(there)
  }
  expect([...seen].filter((event) => !known.has(event))).toEqual([])
}

function nameOf({ attempt, streamId, version }: StoredEvent): string {
  return eventName(attempt, streamId, version)
}

/** The model's events as {@link toKept} writes those of the table. */
function keptIn(model: StoreModel): unknown[] {
  const streams = [...model.streams].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return streams.flatMap(([streamId, events]) =>
    events.map(({ id, type, n, tags, attempt, token }, index) => {
      const kept = { streamId, version: BigInt(index + 1), type, n, tags, attempt, token }
      return { ...kept, id: id ?? expect.any(String) }
    }),
  )
}

function toKept({ insertId: _, ...event }: StoredEvent): unknown {
  return event
}
