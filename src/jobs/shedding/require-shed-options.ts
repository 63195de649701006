import { TidemarkError } from '../../core/tidemark-error.ts'
import type { ShedOptions } from './load-shedder.ts'

/** @throws DEFINITION_INVALID for a reactor that could not shed by these. */
export function requireShedOptions(
  name: string,
  shed: ShedOptions | undefined,
  types: readonly string[],
): void {
  if (shed === undefined) return
  const { highWater, lowWater = 0 } = shed
  const unknown = shed.types.find((type) => !types.includes(type))
  const faults: readonly (readonly [boolean, string])[] = [
    [shed.types.length === 0, '`shed` names no types'],
    [unknown !== undefined, `\`shed\` names "${unknown}", which it does not read`],
    [!isMark(highWater) || highWater === 0, '`highWater` is no whole number from 1'],
    [!isMark(lowWater) || lowWater > highWater, '`lowWater` is no whole number up to `highWater`'],
  ]
  for (const [isAtFault, reason] of faults) if (isAtFault) throw invalid(name, reason)
}

function isMark(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function invalid(name: string, reason: string): TidemarkError {
  return new TidemarkError('DEFINITION_INVALID', `reactor "${name}": ${reason}`, {
    details: { name, reason },
  })
}
