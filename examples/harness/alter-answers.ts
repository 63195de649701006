import type { Action, AnyProcess } from '../../src/index.ts'

type Handler = (...args: never[]) => unknown

/**
 * Breaks a process on purpose: what its handlers answer is altered, the definition stays as it is. For
 * controls, which show that a check finds what it is there for.
 */
export function alterAnswers<P extends AnyProcess>(
  process: P,
  alter: (action: Action) => readonly Action[],
): P {
  const altered = Object.entries(process.on).map(([type, handler]) => [
    type,
    (...args: never[]) => listActions((handler as Handler)(...args)).flatMap(alter),
  ])
  return { ...process, on: Object.fromEntries(altered) }
}

/** Takes out what undoes a command. */
export function withoutCompensation(action: Action): readonly Action[] {
  return [action.kind === 'command' ? { ...action, compensation: null } : action]
}

/** Sends a command twice. */
export function twice(command: string): (action: Action) => readonly Action[] {
  return (action) =>
    action.kind === 'command' && action.command === command ? [action, action] : [action]
}

function listActions(answer: unknown): readonly Action[] {
  return [(answer ?? []) as Action | readonly Action[]].flat()
}
