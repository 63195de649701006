import type { Token } from '../../core/token.ts'
import type { WaitOptions } from '../../subscriptions/wait-for.ts'

export interface QueryOptions extends WaitOptions {
  /** Waits until the projection has applied this token's commit. Null: there is none to wait for. */
  readonly after?: Token | string | null
  /**
   * What to do when the projection has not applied it in time, because it is slow or stands still: throw
   * (default), or read what is there. What can never come, as of a commit that was rolled back, throws.
   */
  readonly onTimeout?: 'throw' | 'stale'
  /** Which tables: those of the live version (default), or of the version that is defined. */
  readonly from?: 'live' | 'defined'
}
