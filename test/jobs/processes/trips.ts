import { z } from 'zod'
import { type Act, decider, event, processManager, reject, task } from '../../../src/index.ts'

/** What a trip is to be like: its legs, of which one may be refused, and whether it waits first. */
const trip = z.object({
  id: z.string(),
  /** Legs that are booked at once. When all are, one more is. */
  legs: z.int(),
  /** The number of the leg that cannot be booked; -1: each can. */
  refused: z.int(),
  waits: z.boolean(),
})

export type Trip = z.infer<typeof trip>

export const TripAsked = event('trip.asked').v(1, trip)
export const TripCancelled = event('trip.cancelled').v(1, z.object({ id: z.string() }))
const place = z.object({ id: z.string(), leg: z.int() })
export const LegBooked = event('leg.booked').v(1, place)
export const LegUnbooked = event('leg.unbooked').v(1, place)

/** Books and unbooks as often as it is told to, so that it shows in the log what was done twice. */
export const Leg = decider('leg', {
  events: [LegBooked, LegUnbooked],
  initial: () => null,
  evolve: { 'leg.booked': () => null, 'leg.unbooked': () => null },
  commands: {
    book: (_, { isRefused, ...leg }: { id: string; leg: number; isRefused: boolean }) =>
      isRefused ? reject('full') : LegBooked(leg),
    unbook: (_, leg: { id: string; leg: number }) => LegUnbooked(leg),
  },
})

/** Writes down each time that it runs. */
export const note = task('note-trip', {
  payload: z.object({ id: z.string() }),
  run: ({ id }, { once }) =>
    once('note', async (tx) => {
      await tx.query('insert into notes (id) values ($1)', [id])
    }),
})

export const trips = processManager('trips', {
  events: [TripAsked, TripCancelled, LegBooked],
  deciders: [Leg],
  id: (e) => e.data.id,
  starts: ['trip.asked'],
  from: 'start',
  maxAttempts: 100,
  initial: () => ({ id: '', legs: 0, refused: -1, booked: 0 }),
  evolve: {
    'trip.asked': (state, { data: { id, legs, refused } }) => ({ ...state, id, legs, refused }),
    'leg.booked': (state) => ({ ...state, booked: state.booked + 1 }),
  },
  on: {
    'trip.asked': ({ id, legs, refused }, e, act) => [
      act.job(note({ id })),
      ...(e.data.waits
        ? [act.after('100ms', 'go')]
        : Array.from({ length: legs }, (_, leg) => book(act, id, leg, refused))),
    ],
    'leg.booked': ({ id, legs, refused, booked }, _, act) => {
      if (booked < legs) return []
      return booked === legs ? book(act, id, legs, refused) : act.complete()
    },
    'trip.cancelled': (_, __, act) => act.fail('cancelled'),
  },
  onTimer: {
    go: ({ id, legs, refused }, act) =>
      Array.from({ length: legs }, (_, leg) => book(act, id, leg, refused)),
  },
})

function book(act: Act<typeof Leg>, id: string, leg: number, refused: number) {
  const compensate = act.command(Leg, `${id}-${leg}`, 'unbook', { id, leg })
  const input = { id, leg, isRefused: leg === refused }
  return act.command(Leg, `${id}-${leg}`, 'book', input, { compensate })
}

/** What became of a trip. */
export interface TripEnd {
  readonly state: string
  /** In the order of the log. */
  readonly booked: readonly number[]
  readonly unbooked: readonly number[]
  readonly notes: number
  /** Timers that woke it. */
  readonly woken: number
}

/** Says what is wrong with the end of a trip; nothing, if it can have come to that. */
export function faultsOf(asked: Trip, isCancelled: boolean, end: TripEnd): string[] {
  const { state, booked, notes, woken } = end
  const faults: Record<string, boolean> = {
    [`booked twice: ${booked}`]: new Set(booked).size < booked.length,
    [`${notes} notes`]: notes !== 1,
    [`woken ${woken} times`]: woken > (asked.waits ? 1 : 0),
    [`booked ${asked.refused}, which is refused`]: booked.includes(asked.refused),
    ...(state === 'completed'
      ? completedFaults(asked, end)
      : failedFaults(asked, isCancelled, end)),
  }
  return Object.keys(faults).filter((fault) => faults[fault])
}

function completedFaults(asked: Trip, { booked, unbooked }: TripEnd): Record<string, boolean> {
  const legs = Array.from({ length: asked.legs + 1 }, (_, leg) => leg)
  return {
    'completed, though a leg was refused': !isWhole(asked),
    [`completed with ${booked}`]: `${booked.toSorted((a, b) => a - b)}` !== `${legs}`,
    [`completed, and unbooked ${unbooked}`]: unbooked.length > 0,
  }
}

function failedFaults(asked: Trip, isCancelled: boolean, end: TripEnd): Record<string, boolean> {
  const { state, booked, unbooked } = end
  return {
    [`it is ${state}`]: state !== 'compensated',
    'nothing made it fail': isWhole(asked) && !isCancelled,
    [`${booked} undone as ${unbooked}`]: `${unbooked}` !== `${booked.toReversed()}`,
  }
}

function isWhole({ refused }: Trip): boolean {
  return refused < 0
}
