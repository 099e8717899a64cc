Feature: What an answer may say
  Each sentence is held against what it cites, and the answer says how well it is supported.

  Background:
    Given a workspace with these documents
      | source_id             | text                                                                                                |
      | policies/refunds.txt  | Refunds are paid within 7 days of purchase. A refund goes back to the payment method that was used. |
      | policies/travel.txt   | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days of the journey.        |

  Scenario: An answer says of each sentence how well it is supported
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And its grounding is 1, by the policy "flag"
    And every sentence of it is supported by what it cites

  Scenario: A streamed answer says it in its last event
    When I ask "How fast are refunds paid?" as a stream, by the field stream
    Then its grounding is 1, by the policy "flag"
    And every sentence of it is supported by what it cites

  Scenario: An answer from the cache keeps its grounding
    When I ask "How fast are refunds paid?"
    And I ask "How fast are refunds paid?"
    Then the answer came from the cache
    And its grounding is 1, by the policy "flag"

  Scenario Outline: An answer that is supported is the same under every policy
    When I ask "How fast are refunds paid?"
    And I change the configuration: <change>
    And I ask "How fast are refunds paid?"
    Then the answer is the same as before
    And its grounding is 1, by the policy "<policy>"
    And every sentence of it is supported by what it cites

    Examples:
      | change                       | policy |
      | unsupported sentences removed | remove |
      | unsupported answers refused   | refuse |
      | verified with the embedder    | flag   |

  Scenario Outline: Tokens are the answer under every policy
    When I change the configuration: <change>
    And I ask "How fast are refunds paid?" as a stream, by the field stream
    Then the answer says "7 days"
    And the tokens together are the answer

    Examples:
      | change                        |
      | unsupported sentences removed |
      | unsupported answers refused   |

  Scenario: A refusal claims nothing
    When I ask "What is the capital of Mongolia?"
    Then the answer is that the documents do not say
    And it claims nothing

  Scenario: Where what was found is too weak, nothing is generated
    When I change the configuration: strong evidence wanted
    And I ask "What is the capital of Mongolia?"
    Then the answer is that the documents do not say
    And the generator was not asked
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"

  Scenario Outline: A configuration of grounding that cannot be is refused
    When I change the configuration: <change>
    Then it is refused with 422 and the code "<code>"

    Examples:
      | change                        | code            |
      | verified by no language model | no_verifier     |
      | grounding by guessing         | invalid_request |
      | a threshold of 2              | invalid_request |
