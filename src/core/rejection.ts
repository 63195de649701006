/** A command's refusal: an answer of the domain, not an error. */
export interface Rejection<Code extends string = string, Details = unknown> {
  readonly kind: 'rejection'
  readonly code: Code
  readonly details: Details
}

/**
 * Refuses a command. Return it from a command of a decider: the caller gets it as a value, with the
 * codes and details of that command as types.
 *
 * @param code what is wrong, in the words of the domain: `already-placed`.
 * @param details facts for whoever is told, such as the balance that did not suffice.
 */
export function reject<const Code extends string>(code: Code): Rejection<Code, undefined>
export function reject<const Code extends string, const Details>(
  code: Code,
  details: Details,
): Rejection<Code, Details>
export function reject(code: string, details?: unknown): Rejection {
  return { kind: 'rejection', code, details }
}

/** Tells a rejection from events. */
export function isRejection(value: unknown): value is Rejection {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'rejection'
  )
}
