/** An invariant, held against what there is. */
export interface Check {
  /** What has to hold, as a sentence. */
  readonly invariant: string
  /** How many things were looked at. A check that had nothing to look at has proved nothing, and fails. */
  readonly looked: number
  /** What breaks it, a line each. */
  readonly faults: readonly string[]
}

/** Checks each thing of a list by itself. */
export function checkEach<T>(
  invariant: string,
  things: Iterable<T>,
  faultsOf: (thing: T) => readonly string[],
): Check {
  const all = [...things]
  return { invariant, looked: all.length, faults: all.flatMap(faultsOf) }
}

/** Whether it holds, and was put to the test. */
export function holds({ looked, faults }: Check): boolean {
  return looked > 0 && faults.length === 0
}

/** Says that two figures which have to be the same are not. */
export function unlessEqual(what: string, actual: unknown, expected: unknown): readonly string[] {
  return actual === expected ? [] : [`${what}: ${actual}, not ${expected}`]
}
