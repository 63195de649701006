import fc from 'fast-check'

/** What fast-check draws: for each of several writers that run at once, what it does in turn. */
export type Schedule = readonly (readonly Step[])[]

export type Step =
  | PlannedCall
  | Again
  | Look
  /** Calls of one process that come at once, for its store to share commits among them. */
  | { readonly kind: 'burst'; readonly calls: readonly (PlannedCall | Again)[] }
  | {
      readonly kind: 'transaction'
      readonly steps: readonly (PlannedCall | Again | Look)[]
      readonly end: 'commit' | 'rollback'
    }

/** A new call. */
export interface PlannedCall {
  readonly kind: 'call'
  readonly way: Way
  readonly appends: readonly PlannedAppend[]
  readonly key: number | null
  readonly condition: PlannedCondition | null
  /** Whether the events bring their ids. */
  readonly hasIds: boolean
}

/** The same call once more: a retry, if it has a key or ids. */
export interface Again {
  readonly kind: 'again'
  readonly way: Way
  /** Counts back over the calls of all writers, those under way included. */
  readonly back: number
}

/** A read, whose token conditions use. */
export interface Look {
  readonly kind: 'look'
}

/** `grouped` and `single` differ in whether the store shares commits; `sql` is the function for psql. */
export type Way = 'grouped' | 'single' | 'many' | 'sql'

export interface PlannedAppend {
  readonly stream: number
  readonly events: readonly { readonly type: number; readonly tags: readonly number[] }[]
  /** `known` is the version that is known of the stream when the call is made. */
  readonly expect: 'any' | 'absent' | 'present' | 'known' | bigint
}

export interface PlannedCondition {
  readonly items: readonly {
    readonly tags: readonly number[]
    readonly types: readonly number[]
  }[]
  /** Counts back over the looks of all writers; null: without a token. */
  readonly back: number | null
}

const streams = 4
const tags = [0, 1, 2]
const types = [0, 1]
const keys = 3

const append: fc.Arbitrary<PlannedAppend> = fc.record({
  stream: fc.nat({ max: streams - 1 }),
  events: fc.array(
    fc.record({
      type: fc.constantFrom(...types),
      tags: fc.subarray(tags, { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  expect: fc.oneof(
    { weight: 4, arbitrary: fc.constant('any' as const) },
    { weight: 1, arbitrary: fc.constantFrom('absent' as const, 'present' as const) },
    { weight: 3, arbitrary: fc.constant('known' as const) },
    { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 8n }) },
  ),
})

const condition: fc.Arbitrary<PlannedCondition> = fc.record({
  items: fc.oneof(
    {
      weight: 12,
      arbitrary: fc.array(
        fc.record({
          tags: fc.subarray(tags, { minLength: 1, maxLength: 2 }),
          types: fc.oneof(fc.constant([]), fc.subarray(types, { maxLength: 1 })),
        }),
        { minLength: 1, maxLength: 2 },
      ),
    },
    // Rare, because it keeps all others out.
    { weight: 1, arbitrary: fc.constantFrom([{ tags: [], types: [0] }]) },
  ),
  back: fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 4 }) }, fc.constant(null)),
})

const call: fc.Arbitrary<PlannedCall> = fc
  .record({
    kind: fc.constant('call' as const),
    way: fc.constantFrom<Way[]>('grouped', 'grouped', 'single', 'many', 'sql'),
    appends: fc.oneof(
      { weight: 3, arbitrary: fc.tuple(append) },
      {
        weight: 1,
        arbitrary: fc.uniqueArray(append, {
          minLength: 2,
          maxLength: 4,
          selector: ({ stream }) => stream,
        }),
      },
    ),
    key: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, fc.nat({ max: keys - 1 })),
    condition: fc.oneof(
      { weight: 3, arbitrary: fc.constant(null) },
      { weight: 2, arbitrary: condition },
    ),
    hasIds: fc.boolean(),
  })
  .map((plan) => (plan.appends.length > 1 ? { ...plan, way: 'many' as const } : plan))

const again: fc.Arbitrary<Again> = fc.record({
  kind: fc.constant('again' as const),
  way: fc.constantFrom<Way[]>('grouped', 'single', 'many', 'sql'),
  back: fc.nat({ max: 6 }),
})

const look: fc.Arbitrary<Look> = fc.constant({ kind: 'look' })

const simple = [
  { weight: 8, arbitrary: call },
  { weight: 3, arbitrary: again },
  { weight: 2, arbitrary: look },
] as const

const grouped = fc
  .tuple(call, append)
  .map(([plan, one]) => ({ ...plan, way: 'grouped', appends: [one], condition: null }) as const)

const burst: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('burst' as const),
  calls: fc.array(
    fc.oneof(
      { weight: 2, arbitrary: grouped },
      { weight: 1, arbitrary: again.map((plan) => ({ ...plan, way: 'grouped' }) as const) },
    ),
    { minLength: 2, maxLength: 6 },
  ),
})

const transaction: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('transaction' as const),
  steps: fc.array(fc.oneof(...simple), { minLength: 1, maxLength: 4 }),
  end: fc.constantFrom('commit' as const, 'commit' as const, 'rollback' as const),
})

const step: fc.Arbitrary<Step> = fc.oneof(
  ...simple,
  { weight: 2, arbitrary: burst },
  { weight: 3, arbitrary: transaction },
)

/** Draws schedules of three to six writers on few streams, tags and keys, so that they meet. */
export const schedules: fc.Arbitrary<Schedule> = fc.array(
  fc.array(step, { minLength: 2, maxLength: 9 }),
  { minLength: 3, maxLength: 6 },
)
