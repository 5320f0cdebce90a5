/** Streamed tokens and output on their way to a viewer; never stored: one settled event replaces them. */
export type LiveFrame =
  | { readonly kind: 'text'; readonly callId: string; readonly text: string }
  | { readonly kind: 'reasoning'; readonly callId: string; readonly text: string }
  | { readonly kind: 'tool-input'; readonly callId: string; readonly toolName: string; readonly text: string }
  | {
      readonly kind: 'output';
      readonly callId: string;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
    };
