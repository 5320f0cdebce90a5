import type { ForgeAccount } from '../../domain/ports/forge.ts';

/** What happened on a forge, whichever it is: the little that decides whether it starts anything. */
export interface ForgeHappening {
  /** Full name on its forge: `acme/web`. */
  readonly repository: string;
  readonly number: number;
  readonly isPullRequest: boolean;
  /** Who did it. */
  readonly actor: ForgeAccount;
  readonly cause:
    | { readonly kind: 'labelled'; readonly label: string }
    | { readonly kind: 'assigned'; readonly assignee: string }
    /** Something was written: an issue, a pull request, a comment, a review. */
    | { readonly kind: 'written'; readonly text: string };
  /** Set where Berth itself wrote the text, by its mark. */
  readonly isOfBerth: boolean;
}

/** In each text that Berth writes on a forge, unseen; texts that hold it start nothing, whichever Berth wrote them. */
export const berthMark = '<!-- berth:';
