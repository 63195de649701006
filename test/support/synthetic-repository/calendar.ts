import type { Random } from './random.ts'

/** A time as a commit holds it: seconds since 1970, and a zone that may be nonsense. */
export interface CommitTime {
  readonly seconds: number | string
  readonly zone: string
}

export interface CommitTimes {
  readonly authored: CommitTime
  readonly committed: CommitTime
}

/** 2009-02-13. */
const START_SECONDS = 1_234_567_890

const DAY_SECONDS = 86_400

/** The last are nonsense that real repositories hold. */
const ZONES = [
  ...['+0000', '+0100', '-0800', '+0530', '+0545', '-0330', '+1245', '+1400', '-1200'],
  ...['-0000', '+051800', '-7500', '+2359'],
] as unknown as readonly [string, ...string[]]

/** 1970, 2100, the years 9999 and 10000, the ends of what 31 bits, a Date and a double hold. */
const ODD_SECONDS = [
  ...['0', '1', '2147483648', '4102444800', '253402300799', '253402300800'],
  ...['8640000000000', '8640000000001', '9007199254740993'],
] as unknown as readonly [string, ...string[]]

/** Makes a clock that moves on, with some computers' clocks wrong by up to three days. */
export function createCalendar(random: Random): () => CommitTimes {
  let now = START_SECONDS
  return () => {
    now += random.skewed(2 * DAY_SECONDS)
    const skew = random.chance(0.03) ? random.below(6 * DAY_SECONDS) - 3 * DAY_SECONDS : 0
    const zone = random.pick(ZONES)
    const committed = { seconds: now + skew, zone }
    return { committed, authored: authoredTime(now + skew, zone, random) }
  }
}

function authoredTime(committed: number, zone: string, random: Random): CommitTime {
  if (random.chance(0.01)) return { seconds: random.pick(ODD_SECONDS), zone }
  const earlier = random.chance(0.2) ? random.skewed(30 * DAY_SECONDS) : 0
  return { seconds: committed - earlier, zone }
}
