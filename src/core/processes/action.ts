import type { AnyDecider, CommandOf, InputOf } from '../decider.ts'
import { type Duration, durationMs } from './duration.ts'

/** A job as a process asks for it. What a task makes when it is called is one. */
export interface JobRequest {
  readonly task: string
  readonly payload: unknown
  readonly options: object
}

/** A command to a decider's stream. */
export interface CommandCall {
  readonly decider: string
  /** Whose stream: the id behind the decider's name. */
  readonly target: string
  readonly command: string
  readonly input: unknown
}

/** What a process wants done. Made by {@link Act}, plain data, and carried out by workers. */
export type Action =
  | CommandAction
  | { readonly kind: 'job'; readonly job: JobRequest }
  | { readonly kind: 'timer'; readonly name: string; readonly at: Duration | Date }
  | { readonly kind: 'cancel'; readonly name: string }
  | { readonly kind: 'complete' }
  | { readonly kind: 'fail'; readonly reason: string }

export interface CommandAction extends CommandCall {
  readonly kind: 'command'
  /** What undoes it, if it succeeded and the process fails later. */
  readonly compensation: CommandCall | null
}

export interface CommandOptions {
  /**
   * The command that undoes this one: carried out when the process fails after this one succeeded. It should
   * do nothing (`[]`) where there is nothing to undo.
   */
  readonly compensate?: CommandAction
}

/** The arguments of a command: its input, if it has one, and the options. */
export type CommandArguments<D extends AnyDecider, C extends CommandOf<D>> =
  InputOf<D, C> extends []
    ? [input?: undefined, options?: CommandOptions]
    : [...InputOf<D, C>, options?: CommandOptions]

/** Makes the actions of a process: with the deciders that it may command and the timers that it has. */
export interface Act<Deciders extends AnyDecider = AnyDecider, Timer extends string = string> {
  /**
   * Sends a command, exactly once. Commands of one answer are carried out in no promised order: what
   * depends on another waits for its event. The input has to survive JSON.
   */
  command<D extends Deciders, C extends CommandOf<D>>(
    decider: D,
    id: string,
    command: C,
    ...input: CommandArguments<D, C>
  ): CommandAction

  /** Enqueues a job, exactly once. The process does not hear what becomes of it. */
  job(job: JobRequest): Action

  /**
   * Sets a timer, counted from the time at which the event that is answered was recorded. A timer of the
   * same name that is still running is replaced.
   */
  after(duration: Duration, timer: Timer): Action

  /** Sets a timer to a moment. */
  at(moment: Date, timer: Timer): Action

  /** Cancels a timer, if it is running. */
  cancel(timer: Timer): Action

  /**
   * Ends the process well, once the commands that are under way have succeeded. Its timers are cancelled, and
   * it hears no more events. What is refused until then is still answered.
   */
  complete(): Action

  /**
   * Ends the process badly: waits for the commands that are under way, then undoes those that succeeded, one
   * after the other, the last one first. Its timers are cancelled, and it answers nothing more.
   */
  fail(reason: string): Action
}

/** Makes actions. The types are what {@link Act} is for: here every decider and name will do. */
export const act: Act = {
  command: (decider, target, command, ...[input, options]) => ({
    kind: 'command',
    decider: decider.name,
    target,
    command,
    input,
    compensation: toCall((options as CommandOptions | undefined)?.compensate),
  }),
  job: (job) => ({ kind: 'job', job }),
  after: (duration, name) => {
    durationMs(duration)
    return { kind: 'timer', name, at: duration }
  },
  at: (moment, name) => ({ kind: 'timer', name, at: moment }),
  cancel: (name) => ({ kind: 'cancel', name }),
  complete: () => ({ kind: 'complete' }),
  fail: (reason) => ({ kind: 'fail', reason }),
}

function toCall(action: CommandAction | undefined): CommandCall | null {
  if (action === undefined) return null
  const { decider, target, command, input } = action
  return { decider, target, command, input }
}
