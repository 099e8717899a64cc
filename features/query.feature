Feature: Asking a question
  A client asks over HTTP, and gets a structured answer, at once or as a stream.

  Background:
    Given a workspace with these documents
      | source_id             | text                                                                                                           |
      | policies/refunds.txt  | Refunds are paid within 7 days of purchase. A refund goes back to the payment method that was used.            |
      | policies/travel.txt   | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days of the journey.                   |
      | policies/remote.txt   | Employees may work remotely three days a week. Work from abroad needs the consent of human resources.          |
      | runbooks/e1042.txt    | Error E1042 means that the payment gateway rejected the signature. Rotate the signing key to clear it.         |
      | faq/passwords.txt     | Passwords are reset on the sign-in page with a code sent by e-mail. The code is valid for 15 minutes.          |

  Scenario: The first answer is made, the second comes from the cache
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    And the answer was made anew
    When I ask "How fast are refunds paid?"
    Then the answer came from the cache
    And the answer is the same as before

  Scenario: The cache knows a question by its words, not by its spaces
    When I ask "How fast are refunds paid?"
    And I ask "  How   fast are refunds paid?  "
    Then the answer came from the cache

  Scenario: The cache forgets when the documents change
    When I ask "How fast are refunds paid?"
    And I upload "faq/parking.txt" saying "Parking costs 4 EUR a day."
    And I ask "How fast are refunds paid?"
    Then the answer was made anew

  Scenario: The answer has every field of the contract
    When I ask "How fast are refunds paid?"
    Then the answer has every field of the contract
    And every score lies between 0 and 1, best first

  Scenario: No more passages come than were asked for
    When I ask for 1 passage on "Within how many days are refunds paid, and receipts due?"
    Then the answer has at most 1 source

  Scenario Outline: A stream tells the same answer as events
    When I ask "How fast are refunds paid?" as a stream, <by>
    Then the events are sources, then tokens, then done
    And the tokens together are the answer
    And the sources event and the answer name the same passages
    And the answer says "7 days"
    And the answer has every field of the contract

    Examples:
      | by                    |
      | by the field stream   |
      | by the Accept header  |

  Scenario: A stream can come from the cache
    When I ask "How fast are refunds paid?"
    And I ask "How fast are refunds paid?" as a stream, by the field stream
    Then the answer came from the cache
    And the tokens together are the answer

  Scenario: Every answer carries its trace id
    When I ask "How fast are refunds paid?"
    Then the trace id in the answer is the one in the header

  Scenario: A caller's own trace is continued
    When I ask "How fast are refunds paid?" within the trace "4bf92f3577b34da6a3ce929d0e0e4736"
    Then the trace id in the answer is "4bf92f3577b34da6a3ce929d0e0e4736"

  Scenario: A search gives passages without an answer
    When I search "How fast are refunds paid?"
    Then the first hit is "policies/refunds.txt"
    And every hit shows the scores of its stages

  Scenario: A search can give the best passage of each document
    When I search by document for "days"
    Then no document is hit twice

  Scenario Outline: What cannot be answered is refused with a reason, and the service goes on
    When I send <matter>
    Then it is refused with <status> and the code "<code>"
    And the reason mentions "<words>"
    And nothing of the program's inside is shown
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"

    Examples:
      | matter                   | status | code              | words             |
      | an empty body            | 422    | empty_body        | no body           |
      | a body that is not JSON  | 400    | invalid_json      | not JSON          |
      | a body that is a list    | 422    | invalid_request   | body              |
      | no query                 | 422    | invalid_request   | query             |
      | an empty query           | 422    | invalid_request   | query             |
      | a query of spaces        | 422    | invalid_request   | query             |
      | a query of 5000 letters  | 422    | invalid_request   | 4000              |
      | a query of 2 megabytes   | 413    | too_large         | large             |
      | a query that is a number | 422    | invalid_request   | query             |
      | a lone surrogate         | 422    | invalid_request   | query             |
      | an unknown field         | 422    | unknown_field     | tok_k             |
      | an unknown workspace     | 404    | unknown_workspace | nowhere           |
      | a top_k of 0             | 422    | invalid_request   | top_k             |
      | a top_k of 101           | 422    | invalid_request   | top_k             |
      | an unknown operator      | 422    | invalid_filter    | filters.op        |
      | a filter without a value | 422    | invalid_filter    | value             |
      | a filter nested 20 deep  | 422    | invalid_filter    | deep              |
      | a filter that is a list  | 422    | invalid_request   | filters           |
      | an unknown search mode   | 422    | invalid_request   | mode              |

  Scenario: An unknown path is a problem document too
    When I read "/v1/nothing"
    Then it is refused with 404 and the code "not_found"
